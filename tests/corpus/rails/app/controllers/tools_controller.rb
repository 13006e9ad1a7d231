# Small tools, each loaded when it is first asked for.
class ToolsController < ApplicationController
  def show
    tool = "#{params[:tool]}_tool".camelize.safe_constantize
    return render(plain: "no such tool", status: :not_found) unless tool

    render json: tool.new(params.permit!.to_h).call
  end
end
