class ClockTool
  def initialize(params)
    @zone = ActiveSupport::TimeZone[params.fetch("zone", "UTC")]
  end

  def call
    return { error: "no such zone" } unless @zone

    time = @zone.local(2024, 7, 1, 12)
    { zone: @zone.to_s, at: time.iso8601, long: I18n.l(time, format: :long), name: @zone.tzinfo.friendly_identifier }
  end
end
