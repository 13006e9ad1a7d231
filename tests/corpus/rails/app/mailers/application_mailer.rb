class ApplicationMailer < ActionMailer::Base
  default from: "library@example.org"
  layout "mailer"
end
