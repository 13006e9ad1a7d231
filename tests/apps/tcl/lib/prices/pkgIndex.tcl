package ifneeded prices 1.0 [list source [file join $dir prices.tcl]]
