module BooksHelper
  def price_of(book)
    number_to_currency(book.price) if book.price
  end
end
