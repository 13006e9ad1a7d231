xml.instruct!
xml.feed do
  xml.title "Items"
end
