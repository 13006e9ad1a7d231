"""Runs OpenSSH's programs of this machine against the container; keys are made for the occasion."""
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

HOST = os.environ["HOST"]
HOME = pathlib.Path("/tmp/corpus-openssh")
HOME.mkdir(mode=0o700, exist_ok=True)
WORD = HOME / "word.sh"
WORD.write_text("#!/bin/sh\necho \"$WORD\"\n")
WORD.chmod(0o700)
for kind in ("ed25519", "rsa", "ecdsa"):
    if not (HOME / kind).exists():
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", HOME / kind, "-C", "test"], check=True)
COMMON = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20", "-o", "NumberOfPasswordPrompts=1"]


def run(words, stdin=b"", word=None, wait=100):
    env = dict(os.environ, SSH_ASKPASS=str(WORD), SSH_ASKPASS_REQUIRE="force" if word else "never", WORD=word or "", LC_ALL="C.UTF-8", TZ="Asia/Tokyo")
    env.pop("SSH_AUTH_SOCK", None)
    got = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, env=env, timeout=wait, start_new_session=True)
    text = (got.stdout + got.stderr).decode(errors="replace").replace(HOST, "HOST").replace(str(HOME), "HOME")
    print(got.returncode, re.sub(r"\r|port \d+", "", text))


def key(kind="ed25519"):
    return [*COMMON, "-i", HOME / kind, "-o", "PreferredAuthentications=publickey"]


def ssh(*words, user="ann", options=(), **more):
    run(["ssh", *key(), *options, f"{user}@{HOST}", *words], **more)


def words_only():
    return [*COMMON, "-o", "PubkeyAuthentication=no"]


def waited(port):
    deadline = time.time() + 20
    while time.time() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                return s.recv(20)[:8]
        except OSError:
            time.sleep(0.2)


def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


match sys.argv[1]:
    case "keyscan":
        got = subprocess.run(["ssh-keyscan", "-T", "60", "-t", "rsa,ecdsa,ed25519", HOST], capture_output=True, text=True)
        print(sorted(line.split()[1] for line in got.stdout.splitlines()))
    case "password":
        run(["ssh", *words_only(), f"ann@{HOST}", "echo", "in as", "$USER"], word="secret")
    case "install":
        public = "".join((HOME / f"{kind}.pub").read_text() for kind in ("ed25519", "rsa"))
        public += 'command="echo forced",no-pty ' + (HOME / "ecdsa.pub").read_text()
        run(["ssh", *words_only(), f"ann@{HOST}", "umask 077; cat > .ssh/authorized_keys"], stdin=public.encode(), word="secret")
    case "key":
        ssh("id; echo $0 $HOME $SHELL")
        run(["ssh", *key("rsa"), f"ann@{HOST}", "uname -s; exit 7"])
    case "forced":
        run(["ssh", *key("ecdsa"), f"ann@{HOST}", "anything"])
    case "report":
        run(["ssh", *words_only(), f"bob@{HOST}", "what is it"], word="guest")
    case "refused":
        run(["ssh", *words_only(), f"ann@{HOST}", "true"], word="guess")
        run(["ssh", *words_only(), f"root@{HOST}", "true"], word="root")
        run(["ssh", *words_only(), f"nobody-here@{HOST}", "true"], word="x")
    case "interactive":
        run(["ssh", *words_only(), "-o", "PreferredAuthentications=keyboard-interactive", f"ann@{HOST}", "echo yes"], word="secret")
    case "shell":
        ssh(stdin=b"cd /tmp\nfor i in 1 2; do echo $((i * 3)); done\ntype -t cd\nulimit -c\necho $LC_ALL $TZ\n", options=["-o", "SendEnv=LC_ALL TZ", "-T"])
    case "terminal":
        ssh("tty | sed s/[0-9]*$//; stty -a | head -1 | tr ' ' '\\n' | head -1; echo $TERM", options=["-tt"])
    case "commands":
        ssh("ls -d /etc/ssh; printf 'b\\na\\n' | sort; hostname > /dev/null && echo named; df / > /dev/null && echo df; ps > /dev/null 2>&1; echo $?")
        ssh("cd /etc/ssh && tar cf - banner | tar tvf - | cut -d' ' -f1; sha256sum banner; gzip -c banner | zcat")
    case "sftp":
        (HOME / "up.txt").write_text("tea\n" * 1000)
        (HOME / "batch").write_text(f"put {HOME}/up.txt a.txt\nmkdir d\nrename a.txt d/b.txt\nls -1 d\nchmod 600 d/b.txt\nln d/b.txt d/c.txt\nsymlink b.txt d/s\nget d/c.txt {HOME}/down.txt\nls -ln d/b.txt\npwd\nrm d/b.txt d/c.txt d/s\nrmdir d\nget none\n")
        run(["sftp", "-q", *key(), "-b", HOME / "batch", f"ann@{HOST}"])
        print((HOME / "down.txt").read_text() == (HOME / "up.txt").read_text())
    case "drop":
        (HOME / "up.txt").write_text("drop")
        (HOME / "batch").write_text(f"pwd\nls -1\ncd in\nput {HOME}/up.txt new.txt\nls -ln\nreget new.txt {HOME}/up.txt\ndf -h\n")
        env = [*words_only(), "-o", "BatchMode=no"]
        run(["sftp", "-q", *env, f"drop@{HOST}"], stdin=(HOME / "batch").read_bytes(), word="box")
        run(["ssh", *words_only(), f"drop@{HOST}", "true"], word="box", wait=30)
    case "scp":
        (HOME / "up.txt").write_text("one\n")
        for options in ((), ("-O",)):
            run(["scp", "-q", *options, *key(), HOME / "up.txt", f"ann@{HOST}:copy.txt"])
            run(["scp", "-q", *options, *key(), f"ann@{HOST}:copy.txt", HOME / "back.txt"])
            print((HOME / "back.txt").read_text())
            (HOME / "back.txt").unlink()
    case "local":
        port = free()
        tunnel = subprocess.Popen([str(w) for w in ["ssh", *key(), "-N", "-L", f"127.0.0.1:{port}:localhost:22", f"ann@{HOST}"]])
        print(waited(port))
        tunnel.terminate()
    case "socks":
        port = free()
        tunnel = subprocess.Popen([str(w) for w in ["ssh", *key(), "-N", "-D", f"127.0.0.1:{port}", f"ann@{HOST}"]])
        deadline = time.time() + 20
        while time.time() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as s:
                    s.sendall(b"\x05\x01\x00")
                    print(s.recv(2))
                    s.sendall(b"\x05\x01\x00\x03\x09localhost\x00\x16")
                    s.recv(10)
                    print(s.recv(8))
                break
            except OSError:
                time.sleep(0.2)
        tunnel.terminate()
    case "remote":
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        tunnel = subprocess.Popen([str(w) for w in ["ssh", *key(), "-N", "-R", f"0.0.0.0:7000:127.0.0.1:{port}", f"ann@{HOST}"]])
        deadline = time.time() + 20
        while time.time() < deadline:
            try:
                with socket.create_connection((HOST, 7000), 5) as s:
                    peer, _ = listener.accept()
                    peer.sendall(b"back")
                    print(s.recv(10))
                break
            except OSError:
                time.sleep(0.2)
        tunnel.terminate()
    case "jump":
        run(["ssh", *key(), "-o", f"ProxyCommand=ssh {' '.join(map(str, key()))} -W %h:%p ann@{HOST}", "ann@localhost", "echo jumped"])
    case "agent":
        agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True).stdout
        sock, pid = re.search(r"SSH_AUTH_SOCK=([^;]+)", agent)[1], re.search(r"PID=(\d+)", agent)[1]
        os.environ["SSH_AUTH_SOCK"] = sock
        subprocess.run(["ssh-add", "-q", HOME / "ed25519"], stderr=subprocess.DEVNULL)
        got = subprocess.run([str(w) for w in ["ssh", "-A", *key(), f"ann@{HOST}", "ssh-add -l | cut -d' ' -f1,3-"]], capture_output=True, text=True)
        print(got.returncode, got.stdout)
        os.kill(int(pid), 15)
    case "exchange":
        for name in ("sntrup761x25519-sha512@openssh.com", "curve25519-sha256", "ecdh-sha2-nistp521", "diffie-hellman-group-exchange-sha256", "diffie-hellman-group16-sha512", "diffie-hellman-group1-sha1"):
            print(name)
            ssh("echo ok", options=["-o", f"KexAlgorithms={name}"])
    case "ciphers":
        for name in ("chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "3des-cbc"):
            print(name)
            ssh("echo ok", options=["-C", "-c", name, "-m", "hmac-sha2-512"])
    case "multiplexed":
        control = ["-o", f"ControlPath={HOME}/%C", "-o", "ControlMaster=auto", "-o", "ControlPersist=10"]
        for i in range(4):
            subprocess.run([str(w) for w in ["ssh", *key(), *control, f"ann@{HOST}", f"echo {i}"]], stderr=subprocess.DEVNULL)
        subprocess.run([str(w) for w in ["ssh", *key(), *control, "-O", "exit", f"ann@{HOST}"]], stderr=subprocess.DEVNULL)
