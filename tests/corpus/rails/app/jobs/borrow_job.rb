class BorrowJob < ApplicationJob
  def perform(book)
    book.increment!(:borrowed)
  end
end
