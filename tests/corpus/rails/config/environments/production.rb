Rails.application.configure do
  config.cache_classes = true
  config.eager_load = false
  config.consider_all_requests_local = false
  config.action_controller.perform_caching = true
  config.cache_store = :file_store, Rails.root.join("tmp/cache/store")
  config.public_file_server.enabled = ENV["RAILS_SERVE_STATIC_FILES"].present?
  config.log_level = :info
  config.active_support.deprecation = :notify
  config.active_record.dump_schema_after_migration = false
  config.logger = ActiveSupport::TaggedLogging.new(ActiveSupport::Logger.new($stdout)) if ENV["RAILS_LOG_TO_STDOUT"].present?
end
