class BooksController < ApplicationController
  before_action :set_book, only: %i[show borrow destroy]

  def index
    @books = Book.order(:id)
    respond_to do |format|
      format.html
      format.xml { render xml: @books.as_json(only: %i[id title]).to_xml(root: "books") }
      format.csv { send_data CatalogueExport.new(@books).to_csv, filename: "books.csv" }
      format.atom
    end
  end

  def show
    fresh_when etag: @book.title if params[:cached]
  end

  def search
    @books = Book.matching(params[:q].to_s)
    render :index
  end

  def new
    @book = Book.new
  end

  def create
    @book = Book.new(params.require(:book).permit(:title, :isbn, :price, :published_on))
    return redirect_to(@book) if @book.save

    render :new, status: :unprocessable_entity
  end

  def borrow
    BorrowJob.perform_now(@book)
    BookMailer.with(book: @book, to: params[:to]).borrowed.deliver_now
    redirect_to @book
  end

  def destroy
    @book.destroy
    head :no_content
  end

  private

  def set_book
    @book = Book.find(params[:id])
  end
end
