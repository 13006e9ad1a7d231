# frozen_string_literal: true

require 'delegate'

class App
  # A word in capitals.
  class Shout < SimpleDelegator
    def to_s = "#{upcase}!"
  end
end
