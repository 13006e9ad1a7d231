require "csv"

class CatalogueExport
  def initialize(books)
    @books = books
  end

  def to_csv
    CSV.generate { |csv| @books.each { |book| csv << [book.id, book.title, book.price] } }
  end
end
