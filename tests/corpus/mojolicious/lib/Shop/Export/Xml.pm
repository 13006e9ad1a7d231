package Shop::Export::Xml;
use Mojo::Base -base, -signatures;
use XML::LibXML;

sub run ($self, $rows) {
    my $document = XML::LibXML::Document->new;
    $document->setDocumentElement(my $root = $document->createElement('items'));
    $root->appendTextChild(item => $_->[1]) for @$rows;
    return XML::LibXML->load_xml(string => $document->toString)->findvalue('count(//item)') . ' ' . $document->toString;
}

1;
