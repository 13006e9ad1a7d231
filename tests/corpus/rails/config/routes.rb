Rails.application.routes.draw do
  root "books#index"
  resources :books do
    collection { get :search }
    member { post :borrow }
  end
  namespace :api, defaults: { format: :json } do
    resources :books, only: %i[index show create]
  end
  post "/login", to: "sessions#create"
  get "/me", to: "sessions#show"
  get "/tools/:tool", to: "tools#show"
  match "/:code", to: "errors#show", constraints: { code: /404|422|500/ }, via: :all
end
