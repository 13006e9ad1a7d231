#!/usr/bin/perl
use strict;
use warnings;
use Plack::Builder;
use Shelf;
use Shelf::API;
builder {
    enable 'ContentLength';
    enable 'ConditionalGET';
    mount '/api' => Shelf::API->to_app;
    mount '/'    => Shelf->to_app;
};
