#!/usr/bin/perl
# Counts its requests, in one process that goes on running.
use strict;
use warnings;
use FCGI;
my $count = 0;
my $request = FCGI::Request();
while ($request->Accept() >= 0) {
    $count++;
    my $body = '';
    read(STDIN, $body, $ENV{CONTENT_LENGTH} || 0);
    print "Content-Type: text/plain\r\n\r\n$ENV{REQUEST_METHOD} $ENV{REQUEST_URI} $count $body\n";
}
