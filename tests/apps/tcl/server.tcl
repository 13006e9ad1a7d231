set home [file dirname [file normalize [info script]]]
lappend auto_path [file join $home lib]

proc content {name} {
    set file [open [file join $::home $name]]
    set text [read $file]
    close $file
    return $text
}

proc inOrder {lines} {
    return [split [exec sort << [join $lines \n]] \n]
}

set wares [inOrder {tongs anvil hammer}]

proc body {path} {
    if {[regexp {^/export/([a-z]+)$} $path -> name]} {
        source [file join $::home plugins $name.tcl]
        return [dump_$name $::wares]
    }
    switch -- $path {
        / { return "The smithy sells [join $::wares {, }].\n" }
        /prices { package require prices; return [prices::list $::wares] }
        /page { return [string map [list {{wares}} [llength $::wares]] [content templates/page.html]] }
        /terms.html { return [content public/terms.html] }
        /zones { return [clock format 0 -timezone :Asia/Tokyo -format {%Y-%m-%d %H:%M %Z}] }
        /month { return [clock format 0 -gmt 1 -locale de -format {%d. %B %Y}] }
        /words { package require msgcat; return [msgcat::mclocale] }
        /user { return "[file attributes server.tcl -owner] $::tcl_platform(user)" }
        /charset { return [binary encode hex [encoding convertto shiftjis \u65e5\u672c][encoding convertto cp1252 \u20ac]] }
        /trust { return [expr {[regexp -all {BEGIN CERTIFICATE} [read [set f [open /etc/ssl/certs/ca-certificates.crt]]][close $f]] > 0}] }
        /packed { return [string length [zlib gunzip [zlib gzip [string repeat {iron } 1000]]]] }
        /digest { package require sha256; package require md5; return "[sha2::sha256 -hex iron] [md5::md5 -hex iron]" }
        /settings { package require json; return [dict get [json::json2dict [content settings.json]] owner] }
        /stock {
            package require sqlite3
            sqlite3 base :memory:
            base eval {create table stock (name text); insert into stock values ('iron')}
            set name [base onecolumn {select upper(name) from stock}]
            base close
            return $name
        }
        /http { package require http; return [http::formatQuery a {b c}] }
        /sorted { return [inOrder {zinc copper iron}] }
        /oo { package require TclOO; oo::class create Anvil { method weigh {} { return 80 } }; set a [Anvil new]; set w [$a weigh]; Anvil destroy; return $w }
        /broken { error broken }
    }
    return -code error -errorcode MISSING $path
}

proc answer {channel} {
    if {[gets $channel line] < 0} { close $channel; return }
    while {[gets $channel header] > 0} {}
    set status "200 OK"
    if {[catch {body [lindex $line 1]} text options]} {
        if {[dict get $options -errorcode] eq "MISSING"} {
            set status "404 Not Found"
            set text [content templates/404.html]
        } else {
            puts stderr $text
            set status "500 Internal Server Error"
            set text [content templates/500.html]
        }
    }
    set text [encoding convertto utf-8 $text]
    puts -nonewline $channel "HTTP/1.1 $status\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: [string length $text]\r\n\r\n$text"
    close $channel
}

proc accept {channel address port} {
    fconfigure $channel -translation {crlf binary} -buffering full
    if {[catch {answer $channel} message]} { puts stderr $message; catch {close $channel} }
}

socket -server accept 8080
vwait forever
