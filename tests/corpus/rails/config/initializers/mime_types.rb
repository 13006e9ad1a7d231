Mime::Type.register "application/marc", :marc
