json.partial! "api/books/book", book: @book
json.tags @book.tags
