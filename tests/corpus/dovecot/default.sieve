require ["fileinto", "mailbox", "variables", "regex", "editheader", "imap4flags"];
if header :contains "Subject" "money" { fileinto "Junk"; stop; }
if header :regex "Subject" "order ([0-9]+)" { set "n" "${1}"; addflag "\\Flagged"; fileinto :create "Orders"; }
