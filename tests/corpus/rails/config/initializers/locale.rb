I18n::Backend::Simple.include(I18n::Backend::Pluralization)
