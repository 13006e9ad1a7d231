package Workshop::Photo;
# Photos: any format that Imager reads, thumbnails in any that it writes.
use strict;
use warnings;
use Imager;

sub read {
    my ($class, $fh) = @_;
    my $image = Imager->new;
    $image->read(fh => $fh) or die $image->errstr . "\n";
    return bless { image => $image }, $class;
}

sub width { 0 + $_[0]{image}->getwidth }
sub height { 0 + $_[0]{image}->getheight }

sub keep {
    my ($self, $file) = @_;
    $self->{image}->write(file => $file, type => 'png') or die $self->{image}->errstr . "\n";
}

sub thumb {
    my ($self, $width, $format, $label) = @_;
    my $image = $self->{image}->scale(xpixels => $width, qtype => 'mixing')->convert(preset => 'noalpha');
    if ($label) {
        $image->filter(type => 'autolevels');
        $image->filter(type => 'gaussian', stddev => 0.7);
        $image->box(color => Imager::Color->new('red') || '#f00', xmin => 0, ymin => 0, xmax => 5, ymax => 5, filled => 1);
    }
    my $bytes;
    $image->write(data => \$bytes, type => $format, jpegquality => 80) or die "Can't write $format: " . $image->errstr . "\n";
    return $bytes;
}
1;
