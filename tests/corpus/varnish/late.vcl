vcl 4.1;
import std;
backend default none;
sub vcl_recv { return (synth(200, "late")); }
