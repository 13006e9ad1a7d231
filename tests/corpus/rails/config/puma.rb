threads 2, 4
port ENV.fetch("PORT", 3000)
environment ENV.fetch("RAILS_ENV", "production")
pidfile "tmp/pids/server.pid"
