# frozen_string_literal: true

require 'sinatra/base'
require 'sinatra/json'
require 'i18n'

class App < Sinatra::Base
  autoload :Store, "#{__dir__}/lib/store"
  autoload :Shout, "#{__dir__}/lib/shout"

  enable :sessions
  set :session_secret, 'x' * 64
  set :root, __dir__
  set :show_exceptions, false
  I18n.load_path += Dir["#{__dir__}/locales/*.yml"]
  I18n.available_locales = %i[en de]

  before { I18n.locale = params['lang'] if %w[en de].include?(params['lang']) }

  get('/') { erb :index }
  get('/haml') { haml :list, locals: { items: %w[tea coffee] } }
  get('/guide') { markdown :guide, layout: false }
  get('/feed', provides: :xml) { builder :feed }
  get('/greeting') { I18n.t('greeting', name: params['name'], count: 2) }
  get('/items') { json Store.all }
  get('/shout/:word') { |word| Shout.new(word).to_s }

  post '/items' do
    halt 422, json(error: I18n.t('blank')) if params['name'].to_s.strip.empty?
    status 201
    json id: Store.add(params['name'])
  end

  get '/export/:form' do |form|
    pass unless form.match?(/\A[a-z]+\z/) && File.exist?("#{__dir__}/lib/exporters/#{form}.rb")
    require_relative "lib/exporters/#{form}"
    content_type :text
    Exporters.const_get(form.capitalize).call(Store.all)
  end

  post '/page' do
    require 'nokogiri'
    page = Nokogiri::HTML(request.body.read)
    json title: page.at_css('title')&.text, links: page.xpath('//a/@href').map(&:value)
  end

  get '/time/*' do |zone|
    require 'tzinfo'
    require 'time'
    TZInfo::Timezone.get(zone).utc_to_local(Time.utc(2024, 7, 1, 12)).iso8601
  end

  get '/digest/:word' do |word|
    require 'openssl'
    require 'digest'
    require 'bcrypt'
    [Digest::RMD160.hexdigest(word), OpenSSL::Digest.new('SHA3-256').hexdigest(word), BCrypt::Password.create(word, cost: 4) == word].join(' ')
  end

  get '/code' do
    require 'rouge'
    Rouge.highlight("fn main() { println!(\"hi\"); }", params['lexer'] || 'rust', 'html')
  end

  get '/convert/:encoding' do |encoding|
    'Grüße 日本'.encode(encoding, undef: :replace).unpack1('H*')
  end

  get '/mail' do
    require 'mail'
    mail = Mail.new(from: 'a@example.org', to: 'b@example.org', subject: 'Grüße', body: 'Ä')
    mail.charset = 'UTF-8'
    mail.to_s.lines.grep(/Subject|Transfer/).join
  end

  get('/count') { (session[:n] = session[:n].to_i + 1).to_s }
  get('/fail') { Integer('x') }
  not_found { erb :missing }
  error { |error| erb :error, locals: { message: error.message } }
end
