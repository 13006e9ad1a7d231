# frozen_string_literal: true

module Smithy
  module Plugins
    # Writes the wares as csv.
    module Csv
      def self.dump(wares)
        "csv: #{wares.join(',')}\n"
      end
    end
  end
end
