atom_feed root_url: "http://library.example/", id: "tag:library.example,2024:books", url: "http://library.example/books.atom" do |feed|
  feed.title t("books.title")
  @books.each do |book|
    feed.entry(book, id: "book-#{book.id}", url: "http://library.example/books/#{book.id}", updated: book.created_at, published: book.created_at) { |entry| entry.title book.title }
  end
end
