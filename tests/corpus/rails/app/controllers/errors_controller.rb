class ErrorsController < ApplicationController
  def show
    render "shared/error", status: params[:code].to_i, formats: :html
  end
end
