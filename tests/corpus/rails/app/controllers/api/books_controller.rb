module Api
  class BooksController < ActionController::API
    def index
      @books = Book.order(:id)
    end

    def show
      @book = Book.find(params[:id])
    end

    def create
      book = Book.create(params.require(:book).permit(:title, :price))
      render json: { id: book.id, errors: book.errors.full_messages }, status: book.persisted? ? :created : :unprocessable_entity
    end
  end
end
