package Workshop::Task::Outbox;
# outbox: what mail was sent.
use Moose;
use namespace::autoclean;
use Email::MIME;
extends 'Workshop::Task';

sub run {
    my $self = shift;
    binmode STDOUT, ':encoding(UTF-8)';
    for my $file (sort glob '/var/lib/workshop/mail/new/*') {
        open my $fh, '<:raw', $file or next;
        my $mail = Email::MIME->new(do { local $/; <$fh> });
        print $mail->header('To'), ': ', $mail->header_str('Subject'), "\n", $mail->body_str, "\n";
    }
    return 0;
}
__PACKAGE__->meta->make_immutable;
1;
