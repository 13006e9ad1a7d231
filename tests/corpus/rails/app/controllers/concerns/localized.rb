module Localized
  extend ActiveSupport::Concern

  included { around_action :in_locale }

  private

  def in_locale(&block)
    wanted = params[:locale] || request.headers["Accept-Language"].to_s.scan(/^[a-z]{2}/).first
    locale = I18n.available_locales.map(&:to_s).include?(wanted) ? wanted : I18n.default_locale
    I18n.with_locale(locale, &block)
  end
end
