require_relative "boot"
require "rails/all"
Bundler.require(*Rails.groups)

module Library
  class Application < Rails::Application
    config.load_defaults 6.1
    config.time_zone = "Europe/Zurich"
    config.i18n.available_locales = %i[en de fr ja pl]
    config.i18n.fallbacks = [:en]
    config.active_job.queue_adapter = :async
    config.action_mailer.delivery_method = :file
    config.action_mailer.file_settings = { location: Rails.root.join("tmp/mails") }
    config.exceptions_app = routes
    config.secret_key_base = ENV.fetch("SECRET_KEY_BASE")
  end
end
