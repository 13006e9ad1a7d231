package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"html/template"
	"io"
	"log"
	"mime"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

const data = "/usr/local/share/smithy"

func inOrder(lines ...string) []string {
	sort := exec.Command("sort")
	sort.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	out, err := sort.Output()
	if err != nil {
		log.Fatal(err)
	}
	return strings.Fields(string(out))
}

func page(w io.Writer, name string, value any) error {
	page, err := template.ParseFiles("templates/" + name + ".html")
	if err != nil {
		return err
	}
	return page.Execute(w, value)
}

type action func(w *bytes.Buffer, rest string) error

func main() {
	wares := inOrder("tongs", "anvil", "hammer")
	actions := map[string]action{
		"/page":   func(w *bytes.Buffer, _ string) error { return page(w, "page", wares) },
		"/sorted": func(w *bytes.Buffer, _ string) error { fmt.Fprintln(w, inOrder("zinc", "copper", "iron")); return nil },
		"/zones/": func(w *bytes.Buffer, rest string) error {
			zone, err := time.LoadLocation(rest)
			if err == nil {
				fmt.Fprintln(w, time.Unix(0, 0).In(zone))
			}
			return err
		},
		"/user/": func(w *bytes.Buffer, rest string) error {
			found, err := user.Lookup(rest)
			if err == nil {
				fmt.Fprintln(w, found.Uid, found.HomeDir)
			}
			return err
		},
		"/group": func(w *bytes.Buffer, _ string) error {
			found, err := user.LookupGroup("staff")
			if err == nil {
				fmt.Fprintln(w, found.Gid)
			}
			return err
		},
		"/trust": func(w *bytes.Buffer, _ string) error {
			pool, err := x509.SystemCertPool()
			if err == nil {
				fmt.Fprintln(w, len(pool.Subjects()) > 0, len(pool.Subjects()))
			}
			return err
		},
		"/mime": func(w *bytes.Buffer, _ string) error {
			fmt.Fprintln(w, mime.TypeByExtension(".odt"), mime.TypeByExtension(".epub"))
			return nil
		},
		"/service": func(w *bytes.Buffer, _ string) error {
			port, err := net.LookupPort("tcp", "postgresql")
			fmt.Fprintln(w, port)
			return err
		},
		"/host": func(w *bytes.Buffer, _ string) error {
			hosts, err := net.LookupHost("localhost")
			fmt.Fprintln(w, len(hosts) > 0)
			return err
		},
		"/packed": func(w *bytes.Buffer, _ string) error {
			var packed bytes.Buffer
			zip := gzip.NewWriter(&packed)
			fmt.Fprint(zip, strings.Repeat("iron ", 1000))
			zip.Close()
			plain, err := gzip.NewReader(&packed)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(plain)
			fmt.Fprintf(w, "%x\n", sha256.Sum256(text))
			return err
		},
		"/data/": func(w *bytes.Buffer, rest string) error {
			text, err := os.ReadFile(filepath.Join(data, filepath.Base(rest)))
			w.Write(text)
			return err
		},
		"/terms":  func(w *bytes.Buffer, _ string) error { return page(w, "terms", nil) },
		"/broken": func(w *bytes.Buffer, _ string) error { return fmt.Errorf("broken") },
	}
	for path, act := range actions {
		path, act := path, act
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			if err := act(&body, strings.TrimPrefix(r.URL.Path, path)); err != nil {
				log.Print(err)
				w.WriteHeader(http.StatusInternalServerError)
				body.Reset()
				if err := page(&body, "500", nil); err != nil {
					log.Print(err)
				}
			}
			w.Write(body.Bytes())
		})
	}
	http.Handle("/static/", http.StripPrefix("/static/", http.FileServer(http.Dir("static"))))
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprintf(w, "The smithy sells %s.\n", strings.Join(wares, ", "))
			return
		}
		w.WriteHeader(http.StatusNotFound)
		if err := page(w, "404", r.URL.Path); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}
