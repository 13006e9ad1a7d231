class ApplicationController < ActionController::Base
  include Localized
  skip_forgery_protection
end
