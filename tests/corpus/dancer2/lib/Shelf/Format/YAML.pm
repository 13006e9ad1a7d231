package Shelf::Format::YAML;
use strict;
use warnings;
use YAML ();
sub type { 'text/yaml' }
sub write { my ($class, @rows) = @_; return YAML::Dump(@rows) }
1;
