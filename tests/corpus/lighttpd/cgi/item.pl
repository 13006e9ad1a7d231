#!/usr/bin/perl
use strict;
use warnings;
use CGI;
use POSIX qw(strftime);
my $q = CGI->new;
my $id = $q->param('id') || 0;
if ($id > 100) {
    print $q->header(-status => '404 Not Found', -type => 'text/plain'), "no item $id\n";
    exit;
}
if ($q->param('day')) {
    require Time::Local;
    print $q->header('text/plain'), strftime('%A %j', gmtime(Time::Local::timegm(0, 0, 0, 1, 1, 2024))), "\n";
    exit;
}
print $q->header(-charset => 'utf-8', -cookie => $q->cookie(-name => 'last', -value => $id)), $q->start_html("Item $id"), $q->h1($q->escapeHTML("Item <$id>")), $q->end_html;
