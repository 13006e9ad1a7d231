<?php

namespace App\Controller;

use App\Entity\Note;
use App\Service\Exporters;
use Symfony\Component\HttpFoundation\JsonResponse;
use Symfony\Component\HttpFoundation\RedirectResponse;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Exception\NotFoundHttpException;

final class NoteController extends Controller
{
    public function index(Request $request): Response
    {
        return $this->render('notes/index.html.twig', ['notes' => $this->notes()->all($request->query->get('order', 'id'))]);
    }

    public function show(int $id): Response
    {
        return $this->render('notes/show.html.twig', ['note' => $this->notes()->find($id) ?? throw new NotFoundHttpException("No note $id.")]);
    }

    public function add(Request $request): Response
    {
        $json = 'json' === $request->getContentType();
        $values = $json ? $request->toArray() : $request->request->all();
        $note = new Note();
        foreach (array_intersect_key($values, get_object_vars($note)) as $name => $value) {
            $note->$name = $value;
        }
        $problems = [];
        foreach ($this->services->validator()->validate($note) as $problem) {
            $problems[$problem->getPropertyPath()] = $problem->getMessage();
        }
        if ($json) {
            return $problems ? new JsonResponse($problems, 422) : new JsonResponse(['id' => $this->notes()->add($note)], 201);
        }

        return $problems ? $this->render('notes/form.html.twig', ['note' => $note, 'problems' => $problems], 422)
            : new RedirectResponse('/notes/'.$this->notes()->add($note));
    }

    public function form(): Response
    {
        return $this->render('notes/form.html.twig', ['note' => new Note(), 'problems' => []]);
    }

    public function export(string $format): Response
    {
        return (new Exporters())->for($format)->export($this->notes()->all());
    }
}
