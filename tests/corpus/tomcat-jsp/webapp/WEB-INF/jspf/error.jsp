<%@ page pageEncoding="UTF-8" isErrorPage="true" %><h1>Error: ${pageContext.exception.message}</h1>
