# Sidekiq's own dashboard. It shows the jobs and the workers of both languages.

require "securerandom"
require "sidekiq/web"

use Rack::Session::Cookie, secret: ENV.fetch("SESSION_SECRET") { SecureRandom.hex(32) }, same_site: true
run Sidekiq::Web
