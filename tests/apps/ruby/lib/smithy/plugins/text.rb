# frozen_string_literal: true

module Smithy
  module Plugins
    # Writes the wares as text.
    module Text
      def self.dump(wares)
        "text: #{wares.join(',')}\n"
      end
    end
  end
end
