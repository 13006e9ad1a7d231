package provide prices 1.0
namespace eval prices {
    source [file join [file dirname [info script]] table.tcl]
    proc list {wares} {
        variable table
        return [lmap ware $wares {dict get $table $ware}]
    }
}
