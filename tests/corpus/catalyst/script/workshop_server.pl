#!/usr/bin/perl
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
BEGIN { $ENV{CATALYST_SCRIPT_GEN} = 40 }
use Catalyst::ScriptRunner;
Catalyst::ScriptRunner->run('Workshop', 'Server');
1;
