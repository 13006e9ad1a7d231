use std::ffi::{CStr, CString};
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::os::raw::{c_char, c_int, c_long, c_void};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};
use std::{env, fs};

#[repr(C)]
struct Passwd {
    name: *const c_char,
    password: *const c_char,
    uid: u32,
    gid: u32,
    comment: *const c_char,
    home: *const c_char,
    shell: *const c_char,
}

#[repr(C)]
struct Service {
    name: *const c_char,
    aliases: *const *const c_char,
    port: c_int,
    protocol: *const c_char,
}

extern "C" {
    fn getpwnam(name: *const c_char) -> *const Passwd;
    fn getservbyname(name: *const c_char, protocol: *const c_char) -> *const Service;
    fn tzset();
    fn localtime(time: *const c_long) -> *const c_void;
    fn strftime(to: *mut c_char, size: usize, format: *const c_char, time: *const c_void) -> usize;
    fn setlocale(category: c_int, locale: *const c_char) -> *const c_char;
    fn iconv_open(to: *const c_char, from: *const c_char) -> *mut c_void;
    fn iconv(
        conversion: *mut c_void,
        from: *mut *const c_char,
        from_left: *mut usize,
        to: *mut *mut c_char,
        to_left: *mut usize,
    ) -> usize;
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn text(pointer: *const c_char) -> String {
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

fn zone(name: &str) -> Result<String> {
    env::set_var("TZ", name);
    let mut buffer = [0u8; 64];
    unsafe {
        tzset();
        let time = localtime(&0);
        strftime(buffer.as_mut_ptr().cast(), buffer.len(), c("%Y-%m-%d %H:%M %Z").as_ptr(), time);
    }
    Ok(text(buffer.as_ptr().cast()))
}

fn user(name: &str) -> Result<String> {
    match unsafe { getpwnam(c(name).as_ptr()).as_ref() } {
        Some(user) => Ok(format!("{} {} {}", user.uid, text(user.home), text(user.shell))),
        None => Err(Error::of("no such user")),
    }
}

fn charset(name: &str) -> Result<String> {
    let conversion = unsafe { iconv_open(c(name).as_ptr(), c("UTF-8").as_ptr()) };
    if conversion as isize == -1 {
        return Err(Error::last_os_error());
    }
    let from = "Größe".as_bytes();
    let mut to = [0u8; 64];
    let (mut start, mut left) = (from.as_ptr().cast(), from.len());
    let (mut end, mut room) = (to.as_mut_ptr().cast(), to.len());
    unsafe { iconv(conversion, &mut start, &mut left, &mut end, &mut room) };
    Ok(to[..64 - room].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn service(name: &str) -> Result<String> {
    match unsafe { getservbyname(c(name).as_ptr(), c("tcp").as_ptr()).as_ref() } {
        Some(service) => Ok(u16::from_be(service.port as u16).to_string()),
        None => Err(Error::of("no such service")),
    }
}

trait Other {
    fn of(what: &str) -> Error;
}

impl Other for Error {
    fn of(what: &str) -> Error {
        Error::new(std::io::ErrorKind::Other, what.to_owned())
    }
}

fn in_order(lines: &[&str]) -> Result<String> {
    let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    sort.stdin.take().unwrap().write_all((lines.join("\n") + "\n").as_bytes())?;
    let output = sort.wait_with_output()?;
    Ok(String::from_utf8_lossy(&output.stdout).replace('\n', " "))
}

fn body(path: &str, wares: &str) -> Result<Option<String>> {
    let parts: Vec<&str> = path.trim_start_matches('/').splitn(2, '/').collect();
    let body = match parts[..] {
        [""] => format!("The smithy sells {wares}.\n"),
        ["page"] => fs::read_to_string("templates/page.html")?.replace("{wares}", wares),
        ["terms"] => fs::read_to_string("templates/terms.html")?,
        ["static", name] if !name.contains('/') => fs::read_to_string(format!("/usr/share/smithy/static/{name}"))?,
        ["zones", name] => zone(name)?,
        ["user", name] => user(name)?,
        ["charset", name] => charset(name)?,
        ["service", name] => service(name)?,
        ["locale"] => match unsafe { setlocale(6, c("C.UTF-8").as_ptr()).as_ref() } {
            Some(name) => text(name),
            None => return Err(Error::of("no such locale")),
        },
        ["host"] => ("localhost", 80).to_socket_addrs()?.any(|address| address.ip().is_loopback()).to_string(),
        ["trust"] => {
            let bundle = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt")?;
            (bundle.matches("BEGIN CERTIFICATE").count() > 0).to_string()
        }
        ["sorted"] => in_order(&["zinc", "copper", "iron"])?,
        ["broken"] => return Err(Error::of("broken")),
        _ => return Ok(None),
    };
    Ok(Some(body))
}

fn answer(mut stream: TcpStream, wares: &str) -> Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::from(" ");
    while !line.trim_end().is_empty() || line == " " {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
    }
    let (status, body) = match body(first.split(' ').nth(1).unwrap_or("/"), wares) {
        Ok(Some(body)) => ("200 OK", body),
        Ok(None) => ("404 Not Found", fs::read_to_string("templates/404.html")?),
        Err(error) => {
            eprintln!("{}: {error}", first.trim());
            ("500 Internal Server Error", fs::read_to_string("templates/500.html")?)
        }
    };
    write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn main() -> Result<()> {
    let wares = in_order(&["tongs", "anvil", "hammer"])?;
    for stream in TcpListener::bind("0.0.0.0:8080")?.incoming() {
        if let Err(error) = answer(stream?, &wares) {
            eprintln!("{error}");
        }
    }
    Ok(())
}
