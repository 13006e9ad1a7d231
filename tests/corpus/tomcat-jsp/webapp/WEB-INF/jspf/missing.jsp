<%@ page pageEncoding="UTF-8" isErrorPage="true" %><h1>Missing: ${requestScope["jakarta.servlet.error.request_uri"]}</h1>
