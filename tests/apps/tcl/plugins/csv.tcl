proc dump_csv {wares} {
    return "csv: [join $wares ,]"
}
