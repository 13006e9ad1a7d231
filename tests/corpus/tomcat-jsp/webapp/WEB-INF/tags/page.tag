<%@ tag pageEncoding="UTF-8" %><%@ attribute name="title" required="true" %><!doctype html><title>${title}</title><jsp:doBody/>
