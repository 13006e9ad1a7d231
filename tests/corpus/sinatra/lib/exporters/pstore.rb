require 'pstore'
require 'tmpdir'

module Exporters
  Pstore = lambda do |rows|
    Dir.mktmpdir do |dir|
      store = PStore.new("#{dir}/rows")
      store.transaction { store[:rows] = rows }
      store.transaction(true) { store[:rows].size.to_s }
    end
  end
end
