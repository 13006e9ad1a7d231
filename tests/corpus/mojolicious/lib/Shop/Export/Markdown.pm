package Shop::Export::Markdown;
use Mojo::Base -base, -signatures;
use Text::Markdown 'markdown';

sub run ($self, $rows) { markdown(join '', map {"* **$_->[1]**\n"} @$rows) }

1;
