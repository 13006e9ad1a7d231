# frozen_string_literal: true

require 'webrick'
$LOAD_PATH.unshift File.join(__dir__, 'lib')

# The shop.
module Smithy
  autoload :Prices, 'smithy/prices'

  def self.in_order(lines)
    IO.popen(['sort'], 'r+') do |sort|
      sort.puts(lines)
      sort.close_write
      sort.read.split
    end
  end
end

WARES = Smithy.in_order(%w[tongs anvil hammer])
VIEWS = File.join(__dir__, 'views')

def view(name)
  require 'erb'
  ERB.new(File.read(File.join(VIEWS, "#{name}.erb"))).result_with_hash(wares: WARES)
end

ROUTES = {
  '/' => -> { "The smithy sells #{WARES.join(', ')}.\n" },
  '/prices' => -> { Smithy::Prices.list(WARES).inspect },
  '/page' => -> { view('page') },
  '/settings' => lambda {
    require 'yaml'
    require 'json'
    JSON.generate(YAML.load_file(File.join(__dir__, 'settings.yml')))
  },
  '/guide' => lambda {
    require 'kramdown'
    Kramdown::Document.new("# Guide\n\nStrike *while* the iron is hot.\n").to_html
  },
  '/zones' => lambda {
    require 'tzinfo'
    TZInfo::Timezone.get('Asia/Tokyo').utc_to_local(Time.utc(2024, 7, 1, 12)).strftime('%F %H:%M %Z')
  },
  '/localtime' => lambda {
    ENV['TZ'] = 'America/New_York'
    Time.at(0).localtime.strftime('%F %H:%M %Z')
  },
  '/user' => lambda {
    require 'etc'
    [Etc.getpwuid.name, Etc.getpwnam('www-data').dir, Etc.getgrnam('staff').gid].inspect
  },
  '/charset' => -> { ['日本', 'Größe'].zip(%w[Shift_JIS ISO-8859-15]).map { |text, to| text.encode(to).unpack1('H*') }.join(' ') },
  '/trust' => lambda {
    require 'openssl'
    store = OpenSSL::X509::Store.new
    store.set_default_paths
    all = OpenSSL::X509::Certificate.load_file('/etc/ssl/certs/ca-certificates.crt')
    [all.size, all.count { |one| store.verify(one) }.positive?].inspect
  },
  '/packed' => lambda {
    require 'zlib'
    Zlib.gunzip(Zlib.gzip('iron ' * 1000)).size.to_s
  },
  '/digest' => lambda {
    require 'digest'
    require 'securerandom'
    Digest::SHA512.hexdigest('iron') + SecureRandom.hex(4).size.to_s
  },
  '/stock' => lambda {
    require 'sqlite3'
    base = SQLite3::Database.new(':memory:')
    base.execute('create table stock (name text)')
    WARES.each { |ware| base.execute('insert into stock values (?)', [ware]) }
    base.execute('select name from stock order by name desc').inspect
  },
  '/sorted' => -> { Smithy.in_order(%w[zinc copper iron]).inspect },
  '/table' => lambda {
    require 'csv'
    require 'bigdecimal'
    require 'set'
    CSV.generate { |csv| Set.new(WARES).each { |ware| csv << [ware, BigDecimal('1.5').to_s] } }
  },
  '/broken' => -> { raise 'broken' }
}.freeze

server = WEBrick::HTTPServer.new(Port: 8080, AccessLog: [], DocumentRoot: File.join(__dir__, 'public'))
server.mount_proc('/') do |request, response|
  action = ROUTES[request.path]
  if action
    response.body = action.call
  elsif (name = request.path[%r{\A/export/(\w+)\z}, 1])
    require "smithy/plugins/#{name}"
    response.body = Smithy::Plugins.const_get(name.capitalize).dump(WARES)
  elsif request.path == '/terms.html'
    response.body = File.read(File.join(__dir__, 'public', 'terms.html'))
  else
    response.status = 404
    response.body = view('404')
  end
rescue RuntimeError => e
  response.status = 500
  response.body = "#{view('500')}#{e.message}"
end
trap('TERM') { server.shutdown }
server.start
