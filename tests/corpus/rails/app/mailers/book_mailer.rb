class BookMailer < ApplicationMailer
  def borrowed
    @book = params[:book]
    attachments["book.txt"] = @book.title
    mail(to: params[:to], subject: "Borrowed: #{@book.title} ☕")
  end
end
