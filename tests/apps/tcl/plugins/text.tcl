proc dump_text {wares} {
    return "text: [join $wares ,]"
}
