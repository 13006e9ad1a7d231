not really <%= nothing %>
