json.extract! book, :id, :title, :price
json.published book.published_on&.iso8601
