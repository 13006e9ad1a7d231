class SessionsController < ApplicationController
  def create
    user = User.find_by(name: params[:name])&.authenticate(params[:password])
    return head(:unauthorized) unless user

    session[:user] = user.id
    cookies.encrypted[:seen] = { value: "yes", httponly: true }
    redirect_to "/me"
  end

  def show
    render plain: "#{User.find_by(id: session[:user])&.name.inspect} #{cookies.encrypted[:seen].inspect}"
  end
end
